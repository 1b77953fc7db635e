unit_test(genesis LINKS genesis base chain_proto)
