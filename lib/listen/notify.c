/* One datagram to the service manager (notify.h). */
#include "listen/notify.h"

#include "base/sys.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* 0, or the errno. */
static int send_to(const char *name, const char *words)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	bool abstract = *name == '@';
	if (!abstract && *name != '/')
		return EAFNOSUPPORT;
	if (n >= sizeof un.sun_path + abstract) /* only a path needs its NUL */
		return ENAMETOOLONG;
	memcpy(un.sun_path, name, n);
	if (abstract)
		un.sun_path[0] = '\0';
	int fd = sys_socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd < 0)
		return errno;
	struct iovec v = { (void *)(uintptr_t)words, strlen(words) };
	struct msghdr m = { .msg_name = &un,
		.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + !abstract),
		.msg_iov = &v,
		.msg_iovlen = 1 };
	int sys = sys_sendmsg(fd, &m, MSG_NOSIGNAL, true) < 0 ? errno : 0;
	sys_close(fd);
	return sys;
}

void notify_ready(const struct run *run)
{
	const char *name = getenv("NOTIFY_SOCKET");
	int sys = name == NULL || *name == '\0' ? 0 : send_to(name, "READY=1");
	char shown[128], text[256];
	if (sys == 0)
		return;
	text_show(shown, sizeof shown, name, strlen(name));
	snprintf(text, sizeof text, "$NOTIFY_SOCKET %s: %s", shown, strerror(sys));
	event(run->events, EV_WARN, 0, EV_TEXT("text", text));
}
