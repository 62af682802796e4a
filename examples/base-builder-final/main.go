// greeter reads its greeting from the base stage's /etc/greeting.
package main

import (
	"fmt"
	"io/ioutil"
	"os"
)

func main() {
	greeting, err := ioutil.ReadFile("/etc/greeting")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(string(greeting))
}
