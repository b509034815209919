/* --talk: a connection that holds a conversation by script (talk.h has the script, talk_run.h what a connection keeps). */
#ifndef SERVICES_TALK_SERVICE_H
#define SERVICES_TALK_SERVICE_H

#include "net/service.h"

extern const struct service service_talk; /* --talk LINE|@FILE */
extern const struct opt_group talk_opts;  /* --talk --swap */

#endif
