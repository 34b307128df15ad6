// Colly in the race: an asynchronous collector; see crawlers.py for the RACE_ variables.
package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gocolly/colly/v2"
)

func main() {
	perHost, _ := strconv.Atoi(os.Getenv("RACE_PER_HOST"))
	delay, _ := strconv.ParseFloat(os.Getenv("RACE_DELAY"), 64)
	text, err := os.ReadFile(os.Getenv("RACE_SEEDS"))
	if err != nil {
		panic(err)
	}
	seeds := strings.Fields(string(text))
	file, err := os.OpenFile(os.Getenv("RACE_OUT"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	var lock sync.Mutex
	out := bufio.NewWriter(file)

	collector := colly.NewCollector(
		colly.Async(true), colly.UserAgent("race-colly/1.0 (+http://127.0.0.1/)"), colly.MaxBodySize(0),
	)
	collector.IgnoreRobotsTxt = false
	collector.WithTransport(&http.Transport{MaxIdleConns: 20000, MaxIdleConnsPerHost: perHost})
	collector.SetRequestTimeout(time.Minute)
	hosts := map[string]bool{}
	for _, seed := range seeds {
		place, _ := url.Parse(seed)
		if !hosts[place.Host] {
			hosts[place.Host] = true
			// A rule for each host: one rule over all of them would be one delay for all.
			rule := colly.LimitRule{DomainGlob: place.Host, Parallelism: perHost, Delay: time.Duration(delay * float64(time.Second))}
			if err := collector.Limit(&rule); err != nil {
				panic(err)
			}
		}
	}
	collector.OnHTML("html", func(page *colly.HTMLElement) {
		line, _ := json.Marshal(map[string]string{"url": page.Request.URL.String(), "title": strings.TrimSpace(page.ChildText("title"))})
		lock.Lock()
		out.Write(append(line, '\n'))
		lock.Unlock()
	})
	collector.OnHTML("a[href]", func(link *colly.HTMLElement) {
		target, _, _ := strings.Cut(link.Request.AbsoluteURL(link.Attr("href")), "#")
		if place, err := url.Parse(target); err == nil && hosts[place.Host] {
			link.Request.Visit(target)
		}
	})
	for _, seed := range seeds {
		collector.Visit(seed)
	}
	collector.Wait()
	out.Flush()
}
