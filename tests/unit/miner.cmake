# The program that the tests of miner/exec run: everything a job must not get away with.
add_executable(miner_exec_child unit/miner_exec_child.c)
target_compile_options(miner_exec_child PRIVATE ${AITBC_WARNINGS})
set_target_properties(miner_exec_child PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

unit_test(miner_exec LINKS miner)
target_compile_definitions(test_miner_exec PRIVATE CHILD_PROGRAM="$<TARGET_FILE:miner_exec_child>")
add_dependencies(test_miner_exec miner_exec_child)
unit_test(miner_template LINKS miner)
unit_test(miner_claim LINKS miner)
unit_test(miner_backend LINKS miner)
set_tests_properties(miner_exec PROPERTIES RUN_SERIAL ON) # it counts processes and time
