module helloworld

go 1.13
