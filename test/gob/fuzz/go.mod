module leat/test/gob/fuzz

go 1.19
