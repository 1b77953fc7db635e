/* port_holder: names the process that listens on a port of this machine, so that "address in use"
 * becomes a sentence the operator can act on. Reads /proc; answers what it may see and never fails
 * louder than "unknown". */
#ifndef HTTP_PORT_HOLDER_H
#define HTTP_PORT_HOLDER_H

#include <stddef.h>
#include <stdint.h>

/* "aitbcd (pid 1234)", or "another process" when /proc doesn't tell. */
void port_holder_text(char *out, size_t out_len, uint16_t port);

#endif
