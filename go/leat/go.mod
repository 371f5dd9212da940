module leat.example/go/leat

go 1.19
