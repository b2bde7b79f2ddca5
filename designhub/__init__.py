"""The hub: web pages, JSON API, git over HTTP, commands and the wiring of the packages below."""
