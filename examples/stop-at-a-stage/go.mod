module example/quotes

go 1.13
