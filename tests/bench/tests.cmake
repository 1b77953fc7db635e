# build/bench: figures about this machine and this build; never part of ctest.
program(bench
	SOURCES bench/main.c bench/bare.c bench/load.c bench/presign.c bench/settle.c
	LINKS live chain chain_store_rocks genesis http lib::jansson Threads::Threads)
target_compile_definitions(bench PRIVATE BENCH_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
