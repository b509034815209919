/* --talk: a connection that holds a conversation by script (talk_script.h has the script, talk_run.h what a connection keeps). */
#ifndef TALK_TALK_H
#define TALK_TALK_H

#include "net/service.h"

extern const struct service service_talk; /* --talk LINE|@FILE */
extern const struct opt_group talk_opts;  /* --talk --swap */

#endif
