// Package docs is the documentation pages of the HTTP face: Swagger UI and
// ReDoc, shipped inside the binary.
//
// The scripts lie here compressed and are sent as they lie. The pages fetch
// nothing from elsewhere, which their content security policy makes sure of.
//
// It refuses to be configured, to write, and to know what it documents: both
// pages read /openapi.json. Everything may be called concurrently.
package docs

import (
	"bytes"
	"compress/gzip"
	"embed"
	"io"
	"net/http"
	"strconv"
	"strings"
)

//go:embed assets
var assets embed.FS

// policy lets a page load from this server alone. Both libraries style by
// inline attributes; ReDoc searches in a worker that it makes from a blob.
const policy = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"worker-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Page is one path and how to answer it.
type Page struct {
	Path    string
	Handler http.HandlerFunc
}

// Pages lists what there is.
func Pages() []Page {
	return []Page{
		{"/docs", file("swagger.html", "text/html; charset=utf-8")},
		{"/redoc", file("redoc.html", "text/html; charset=utf-8")},
		{"/docs/assets/swagger.js", file("swagger.js", "text/javascript; charset=utf-8")},
		{"/docs/assets/swagger-ui-bundle.js", packed("swagger-ui-bundle.js.gz", "text/javascript; charset=utf-8")},
		{"/docs/assets/swagger-ui.css", packed("swagger-ui.css.gz", "text/css; charset=utf-8")},
		{"/docs/assets/redoc.standalone.js", packed("redoc.standalone.js.gz", "text/javascript; charset=utf-8")},
		{"/docs/assets/swagger-ui.LICENSE.txt", file("swagger-ui.LICENSE.txt", "text/plain; charset=utf-8")},
		{"/docs/assets/redoc.LICENSE.txt", file("redoc.LICENSE.txt", "text/plain; charset=utf-8")},
	}
}

func headers(w http.ResponseWriter, media string) {
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "public, max-age=3600")
}

func file(name, media string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		body, err := assets.ReadFile("assets/" + name)
		if err != nil {
			panic(err) // the list above names a file that is not embedded
		}
		headers(w, media)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}
}

// packed sends a compressed file as it lies, or unpacks it for the rare client
// that does not take gzip.
func packed(name, media string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := assets.ReadFile("assets/" + name)
		if err != nil {
			panic(err)
		}
		headers(w, media)
		w.Header().Set("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			_, _ = w.Write(body)
			return
		}
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			panic(err)
		}
		_, _ = io.Copy(w, z)
	}
}
