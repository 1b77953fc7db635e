unit_test(mempool LINKS chain)
unit_test(mempool_model LINKS chain)
