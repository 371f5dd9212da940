module leatbench

go 1.19
