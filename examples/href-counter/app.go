// href-counter counts a page's links: those that stay on its site, and those that leave it.
//
//	docker run -e url=https://example.org href-counter
//	docker run -i href-counter < page.html
//
// It is written for Go 1.7 and later, with the standard library alone.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/ioutil"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
)

// The href of an <a>, quoted in either way or not at all.
var anchor = regexp.MustCompile(`(?is)<a\s(?:[^>]*?\s)?href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+))`)

type count struct {
	Internal int `json:"internal"`
	External int `json:"external"`
}

func main() {
	page, site, err := open(os.Getenv("url"))
	if err != nil {
		fail(err)
	}
	defer page.Close()
	text, err := ioutil.ReadAll(page)
	if err != nil {
		fail(err)
	}
	answer, err := json.Marshal(countLinks(string(text), site))
	if err != nil {
		fail(err)
	}
	fmt.Println(string(answer))
}

// open gives the page at an address, or what is piped in where there is no address, and the host it belongs to.
func open(address string) (io.ReadCloser, string, error) {
	if address == "" {
		return os.Stdin, "", nil
	}
	site, err := url.Parse(address)
	if err != nil {
		return nil, "", err
	}
	answer, err := http.Get(address)
	if err != nil {
		return nil, "", err
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, "", fmt.Errorf("%s answered %s", address, answer.Status)
	}
	return answer.Body, site.Host, nil
}

func countLinks(text, site string) count {
	var c count
	for _, match := range anchor.FindAllStringSubmatch(text, -1) {
		link, err := url.Parse(strings.TrimSpace(match[1] + match[2] + match[3]))
		if err == nil && (link.Host == "" || link.Host == site) {
			c.Internal++
		} else {
			c.External++
		}
	}
	return c
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "href-counter:", err)
	os.Exit(1)
}
