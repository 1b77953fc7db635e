# The settlement rules a second time, compared over random histories. The full run: model_test --ops 1000000.
add_executable(model_test model/main.c model/driver_make.c model/driver_compare.c model/model.c
	model/model_rules.c model/model_authority.c model/driver_authority.c replay/blocks_file.c)
target_compile_options(model_test PRIVATE ${AITBC_WARNINGS})
target_link_libraries(model_test PRIVATE settle_kit chain_settle chain base lib::cmocka)
set_target_properties(model_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_test(NAME settle_agrees_with_the_model COMMAND model_test --ops 50000 --seed 1)
set_tests_properties(settle_agrees_with_the_model PROPERTIES TIMEOUT 300)
add_test(NAME settle_agrees_with_the_model_for_a_million_operations COMMAND model_test --ops 1000000 --seed 7)
set_tests_properties(settle_agrees_with_the_model_for_a_million_operations PROPERTIES LABELS full TIMEOUT 1800)
