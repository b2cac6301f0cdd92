// Under which hosts people name this registry when they type a reference, so that the store can
// leave them out of repository names. Pure functions but for MachineName.
#ifndef VARVE_DAEMON_OWN_HOSTS_H_
#define VARVE_DAEMON_OWN_HOSTS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config_values.h"

namespace varve {

// As NameRule::own_hosts has them. Of an address that is listened on: it with its port, and for
// 127.0.0.1 also "localhost"; when it is every address, these two and `machine`, the name of this
// one. Port 0, any free one, is nobody's to type. Of [registry] hostnames: alone where it has a
// dot, without which it would be no host, and with the ports that a proxy before the registry has,
// 80 and 443, and its own. What no name can have, such as an IPv6 address or "*", is passed over.
std::vector<std::string> OwnHosts(const std::optional<ListenAddress>& listen,
                                  const std::vector<std::string>& hostnames,
                                  std::string_view machine);

// The name of this machine; "" when it has none.
std::string MachineName();

}  // namespace varve

#endif  // VARVE_DAEMON_OWN_HOSTS_H_
