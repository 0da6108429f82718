import { NativeConnection, Worker } from '@temporalio/worker';
import * as activities from './activities';

/** The worker of the task queue that pipelines.yaml names for the step `summarize`. */
async function run(): Promise<void> {
  const connection = await NativeConnection.connect({ address: process.env.TEMPORAL_ADDRESS ?? 'localhost:7233' });
  try {
    const worker = await Worker.create({
      connection,
      namespace: process.env.TEMPORAL_NAMESPACE ?? 'default',
      taskQueue: process.env.TASK_QUEUE ?? 'summaries',
      activities,
    });
    await worker.run(); // until SIGINT or SIGTERM
  } finally {
    await connection.close();
  }
}

run().catch((err) => {
  console.error(err);
  process.exit(1);
});
