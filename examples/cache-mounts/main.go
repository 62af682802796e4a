package main

import (
	"fmt"

	"example.com/greet/greeting"
)

func main() {
	fmt.Println(greeting.For("cache"))
}
