// Tells systemd (or whatever set $NOTIFY_SOCKET) how far the daemon is: the datagram protocol of
// sd_notify(3), without its library. Call from main only.
#ifndef VARVE_DAEMON_SERVICE_MANAGER_H_
#define VARVE_DAEMON_SERVICE_MANAGER_H_

#include <string_view>

namespace varve {

// Sends "READY=1" or "STOPPING=1". Without $NOTIFY_SOCKET, or when nobody listens, nothing happens.
void NotifyServiceManager(std::string_view state);

}  // namespace varve

#endif  // VARVE_DAEMON_SERVICE_MANAGER_H_
