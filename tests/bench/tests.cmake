# build/bench: figures about this machine and this build. ctest only asks whether it runs and loses
# nothing, never how fast it was.
program(bench
	SOURCES bench/main.c bench/bare.c bench/load.c bench/presign.c bench/settle.c
	LINKS live chain chain_store_rocks genesis http lib::jansson Threads::Threads)
target_compile_definitions(bench PRIVATE BENCH_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
if(TARGET aitbcd)
	add_test(NAME bench_loses_nothing COMMAND bench --seconds 1 --warm 0 --accounts 400 --connections 16
		--txs 40000 --program $<TARGET_FILE:aitbcd> --dir ${CMAKE_BINARY_DIR}/tests)
	set_tests_properties(bench_loses_nothing PROPERTIES LABELS bench TIMEOUT 300 RUN_SERIAL ON)
endif()
