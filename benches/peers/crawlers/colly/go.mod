module race-colly

go 1.19

require github.com/gocolly/colly/v2 v2.1.0
