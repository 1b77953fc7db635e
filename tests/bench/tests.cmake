# build/bench: figures, never a test. CTest does not run it.
add_executable(bench bench/main.c bench/bounds.c bench/load.c bench/ground.c)
target_compile_options(bench PRIVATE ${AITBC_WARNINGS} -Wno-unused-parameter)
target_compile_definitions(bench PRIVATE _GNU_SOURCE)
target_include_directories(bench PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(bench PRIVATE genesis wallet chain_store_rocks http lib::event Threads::Threads)
