// Command screenshots writes pictures of the page for the documents: each scene in both languages, on a desk and on a phone.
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
	ctx, cancel, err := browser.Chrome(context.Background())
	if err != nil {
		return err
	}
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, 5*time.Minute)
	defer stop()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, scene := range browser.Scenes {
		site := scene.Site()
		err := take(ctx, folder, scene.Name, site.URL, scene.Path)
		site.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", scene.Name, err)
		}
	}
	return nil
}

// tallest is how much of a page a picture shows, by its width, so that it stays small.
var tallest = map[int64]int64{1280: 1300, 390: 1700}

// take takes the pictures of a scene; of the notice, one in the dark too.
func take(ctx context.Context, folder, name, address, path string) error {
	shots := []struct {
		suffix, language, scheme string
		width                    int64
	}{{"-sv", "sv", "light", 1280}, {"-en", "en", "light", 1280}, {"-sv-phone", "sv", "light", 390}, {"-en-phone", "en", "light", 390}}
	if name == "notice" {
		shots = append(shots, struct {
			suffix, language, scheme string
			width                    int64
		}{"-sv-dark", "sv", "dark", 1280})
	}
	for _, shot := range shots {
		if err := browser.Scheme(ctx, shot.scheme, "screen"); err != nil {
			return err
		}
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(shot.width, 844), chromedp.Navigate(address+"/"+shot.language+"/"+path)); err != nil {
			return err
		}
		height, err := chromedp.Run(ctx, chromedp.Evaluate[int64]("document.documentElement.scrollHeight"))
		if err != nil {
			return err
		}
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(shot.width, min(height, tallest[shot.width]))); err != nil {
			return err
		}
		picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			return err
		}
		if picture, err = reduce(picture); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, "page-"+name+shot.suffix+".png"), picture, 0o644); err != nil {
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
