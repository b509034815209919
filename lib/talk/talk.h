/* --talk: a connection that holds a conversation by script (script/talk_script.h; talk_run.h has the state of a connection). */
#ifndef TALK_TALK_H
#define TALK_TALK_H

#include "net/service.h"

extern const struct service service_talk; /* --talk LINE|@FILE */
extern const struct opt_group talk_opts;  /* --talk --swap */

#endif
