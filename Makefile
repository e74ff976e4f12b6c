# What people and CI call. Everything else is cargo.

CARGO ?= cargo

.PHONY: run build test lint bench docs fmt clean

run: build
	./target/release/dragonfly

build:
	$(CARGO) build --release --locked -p server

# Installs what the tests need (Debian's packages, PyPI, npm) and runs all of them.
test:
	tests/run.sh

# Formatting, clippy, dependencies (needs cargo-deny, which it installs).
lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	cargo-deny --all-features check bans licenses sources

# The cases that have bars, beside the floor and every peer on the machine; see bench/README.md.
bench:
	$(CARGO) build --release --locked -p server -p bench-load -p bench-echo
	python3 bench/run.py --quick

# What is made from the tables of the program.
docs:
	$(CARGO) run --locked -p server -- --help-markdown > docs/configuration.md.new
	mv docs/configuration.md.new docs/configuration.md

fmt:
	$(CARGO) fmt --all

clean:
	$(CARGO) clean
	rm -rf tests/clients/.venv tests/clients/node_modules fuzz/target
