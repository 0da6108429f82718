package e2e

import (
	"bytes"
	"context"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// browser is a headless Chromium with one tab of 1280 × 800.
type browser struct {
	t   *testing.T
	ctx context.Context
}

// newBrowser starts Chromium with a profile of its own, and stops it at the end of the test.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"), chromedp.WindowSize(1280, 800), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(limit),
	)
	ctx, stop := context.WithTimeout(t.Context(), 3*limit)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	b := &browser{t: t, ctx: ctx}
	b.do("start Chromium", chromedp.EmulateViewport(1280, 800))
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // before its context ends, so that it closes properly
	return b
}

func (b *browser) do(what string, actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		require.NoError(b.t, err, "%s, at %s", what, b.page())
	}
}

// page returns what the tab shows, for a failing test.
func (b *browser) page() string {
	var s string
	if err := chromedp.Run(b.ctx, chromedp.Evaluate(`location.href + "\n" + document.body.innerText`, &s)); err != nil {
		return err.Error()
	}
	return s
}

// await waits until a JavaScript function returns something true.
func (b *browser) await(what, function string, args ...any) {
	b.t.Helper()
	b.do(what, chromedp.PollFunction(function, nil, chromedp.WithPollingArgs(args...), chromedp.WithPollingTimeout(limit)))
}

// open clicks on a link, and again after 5 s, until the tab shows what it leads to: a click is lost
// if the page renders the link anew. Both are CSS selectors.
func (b *browser) open(what, link, then string) {
	b.t.Helper()
	b.await("open "+what, `(link, then) => {
		const there = document.querySelector(link), clicked = window.clicked ??= {}
		if (there && !(Date.now() < clicked[link] + 5000)) {
			clicked[link] = Date.now()
			there.click()
		}
		return !!document.querySelector(then)
	}`, link, then)
}

// picture writes what the tab shows as a PNG into a folder, if one is named.
func (b *browser) picture(folder, name string) {
	b.t.Helper()
	if folder == "" {
		return
	}
	var shot []byte
	b.do("take a picture", chromedp.CaptureScreenshot(&shot))
	img, err := png.Decode(bytes.NewReader(shot))
	require.NoError(b.t, err)
	var small bytes.Buffer
	require.NoError(b.t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, img))
	require.NoError(b.t, os.WriteFile(filepath.Join(folder, name), small.Bytes(), 0o644))
}
