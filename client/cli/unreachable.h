// Why a daemon cannot be reached, for the person who wants to.
#ifndef VARVE_CLIENT_CLI_UNREACHABLE_H_
#define VARVE_CLIENT_CLI_UNREACHABLE_H_

#include <string>

namespace varve {

// Tries to connect to `address` (client/daemon_address.h) and says what is in the way and what to
// do about it, without a full stop: no such socket, no permission and whose it would take, nobody
// who listens, somebody else than varved. Blocks for two seconds at most, beside the look-up of a
// host name.
std::string WhyUnreachable(const std::string& address);

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_UNREACHABLE_H_
