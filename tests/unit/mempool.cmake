unit_test(mempool LINKS chain)
