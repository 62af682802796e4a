// quotes prints the data of the stage it was put into.
package main

import (
	"fmt"
	"io/ioutil"
	"os"
)

func main() {
	text, err := ioutil.ReadFile("/data/quotes.txt")
	if err != nil {
		fmt.Fprintln(os.Stderr, "no data:", err)
		os.Exit(1)
	}
	fmt.Print(string(text))
}
