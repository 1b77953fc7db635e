#include <stdlib.h>

#include "coordinator/inside.h"

struct lifeline *lifeline_hold(struct coordinator *c)
{
	c->line->holders++;
	return c->line;
}

struct coordinator *lifeline_drop(struct lifeline *line)
{
	struct coordinator *c = line->coordinator;

	if (--line->holders == 0)
		free(line);
	return c;
}
