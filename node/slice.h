/* slice: tells the scheduler that this thread wants to run soon rather than long. A vote is a
 * dozen short deeds of several threads and processes; on a machine that does other work too, each
 * would wait for a whole turn (some ms) of somebody else. The share of the processor stays the
 * same. Used by whoever answers others: the loop and the apply thread. */
#ifndef NODE_SLICE_H
#define NODE_SLICE_H

/* For the calling thread. A kernel that knows no slices of one's own (before Linux 6.12), or
 * doesn't let us, changes nothing. */
void slice_short(void);

#endif
