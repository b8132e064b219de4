// `helm template NAME CHART [-f VALUES]... [--set-string KEY=VALUE]...` by Helm's own packages, and nothing else of
// Helm: the whole of it takes too long to build.
package main

import (
	"fmt"
	"log"
	"os"
	"sort"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/strvals"
)

func main() {
	words := []string{}
	values := map[string]interface{}{}
	for index := 1; index < len(os.Args); index++ {
		switch word := os.Args[index]; word {
		case "-f", "--values":
			index++
			file, err := chartutil.ReadValuesFile(os.Args[index])
			check(err)
			values = chartutil.CoalesceTables(file, values) // The later file counts.
		case "--set-string":
			index++
			check(strvals.ParseIntoString(os.Args[index], values))
		default:
			words = append(words, word)
		}
	}
	if len(words) != 3 || words[0] != "template" {
		log.Fatal("usage: helm template NAME CHART [-f VALUES]... [--set-string KEY=VALUE]...")
	}
	chart, err := loader.Load(words[2])
	check(err)
	release := chartutil.ReleaseOptions{Name: words[1], Namespace: "default", Revision: 1, IsInstall: true}
	whole, err := chartutil.ToRenderValues(chart, values, release, chartutil.DefaultCapabilities)
	check(err)
	rendered, err := engine.Render(chart, whole)
	check(err)
	names := make([]string, 0, len(rendered))
	for name := range rendered {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Printf("---\n# Source: %s\n%s\n", name, rendered[name])
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
