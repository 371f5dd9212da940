module leat/test/netrpc

go 1.19
