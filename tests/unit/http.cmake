unit_test(http_message LINKS http)
unit_test(http_shell SOURCES unit/http_world.c LINKS http)
unit_test(http_smuggling SOURCES unit/http_world.c LINKS http)
unit_test(http_client SOURCES unit/http_world.c LINKS http)
