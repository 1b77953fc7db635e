unit_test(p2p_link LINKS p2p)
