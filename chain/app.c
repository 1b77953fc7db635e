#include "chain/app.h"

#include <string.h>

void app_answer_init(struct app_answer *answer)
{
	memset(answer, 0, sizeof *answer);
}

void app_answer_fini(struct app_answer *answer)
{
	buf_fini(&answer->key);
	buf_fini(&answer->value);
	buf_fini(&answer->proof_ops);
}
