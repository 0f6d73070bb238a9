// Command screenshots writes pictures of the page for the documents: light, dark and on a phone.
package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/chromedp/chromedp"

	"fonster.dev/fonster/test/browser"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: screenshots FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

func run(folder string) error {
	site := browser.NewSite(browser.At(time.December, 5, 11, 0))
	defer site.Close()
	site.Everything()
	ctx, cancel, err := browser.Chrome(context.Background())
	if err != nil {
		return err
	}
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, shot := range []struct {
		name, path, scheme string
		width, height      int64
	}{
		{"light", "/sv/osthammar/", "light", 860, 1150},
		{"dark", "/en/osthammar/", "dark", 860, 1150},
		{"phone", "/sv/osthammar/", "light", 390, 1150},
	} {
		if err := browser.Scheme(ctx, shot.scheme, "screen"); err != nil {
			return err
		}
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(shot.width, shot.height), chromedp.Navigate(site.URL+shot.path)); err != nil {
			return err
		}
		picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			return err
		}
		if picture, err = reduce(picture); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, "page-"+shot.name+".png"), picture, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// reduce writes a picture with the 64 colours that it has most of: a page has few, and the file becomes a third.
func reduce(picture []byte) ([]byte, error) {
	source, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, err
	}
	count := map[color.Color]int{}
	bounds := source.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			count[source.At(x, y)]++
		}
	}
	var palette color.Palette
	for c := range count {
		palette = append(palette, c)
	}
	slices.SortFunc(palette, func(a, b color.Color) int {
		if count[a] != count[b] {
			return count[b] - count[a]
		}
		return compare(a, b)
	})
	palette = palette[:min(len(palette), 64)]
	target := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			target.Set(x, y, source.At(x, y))
		}
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	err = encoder.Encode(&b, target)
	return b.Bytes(), err
}

// compare orders colours, so that the same picture gives the same file.
func compare(a, b color.Color) int {
	r1, g1, b1, _ := a.RGBA()
	r2, g2, b2, _ := b.RGBA()
	return int(r1<<16+g1<<8+b1) - int(r2<<16+g2<<8+b2)
}
