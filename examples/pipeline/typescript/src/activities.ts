import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ApplicationFailure } from '@temporalio/activity';

/** LiveKit's own account of a part. */
interface Info {
  file_results?: { filename: string; duration?: string; size?: string }[];
}

/** What a step is given. docs/pipelines.md has all of it. */
export interface StepInput {
  request_id: string;
  egress_id: string;
  step: string;
  idempotency_key: string;
  verdict: {
    status: string;
    ended_by: string;
    ended_at: string;
    room?: string;
    media: string;
    info: Info;
    parts?: { number: number; info: Info }[]; // all parts, if there are several
  };
  results: Record<string, unknown>;
  with: { title?: string };
}

export interface Summary {
  file: string;
  lines: number;
}

/**
 * Summarize writes a summary of a recording as Markdown. The file is named by the idempotency key and
 * appears in one piece: an attempt that comes again after its worker died writes the same file once more.
 */
export async function Summarize(input: StepInput): Promise<Summary> {
  const { verdict } = input;
  const parts = verdict.parts ?? [{ number: 1, info: verdict.info }];
  const files = parts.flatMap(({ number, info }) => (info.file_results ?? []).map((f) => ({ part: number, ...f })));
  if (verdict.status === 'EGRESS_COMPLETE' && files.length === 0) {
    throw ApplicationFailure.nonRetryable('this recording has no file, so there is nothing to sum up', 'NoFile');
  }
  const lines = [
    `# ${input.with.title ?? 'Recording'} ${input.request_id}`,
    '',
    `- room: ${verdict.room ?? '–'}`,
    `- ended: ${verdict.ended_at} as ${verdict.status}, told by ${verdict.ended_by}`,
    ...files.map((f) => `- file: ${f.filename}, part ${f.part}, ${Number(f.duration ?? 0) / 1e9} s, ${f.size ?? 0} bytes`),
    ...Object.entries(input.results).map(([step, result]) => `- ${step}: ${JSON.stringify(result)}`),
  ];
  const dir = process.env.SUMMARY_DIR ?? 'summaries';
  const file = join(dir, `${input.idempotency_key}.md`);
  await mkdir(dir, { recursive: true });
  await writeFile(`${file}.${process.pid}`, lines.join('\n') + '\n');
  await rename(`${file}.${process.pid}`, file);
  return { file, lines: lines.length };
}
