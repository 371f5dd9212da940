module leat/test/gob

go 1.19
