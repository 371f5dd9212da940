package main

func registerNet() {}
