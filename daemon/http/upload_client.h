// Who sends a request, past the proxies that are trusted to say so: for the log, and as whom an
// upload counts for, when uploads of one client must not shut out those of others. Pure; the header
// is untrusted.
#ifndef VARVE_DAEMON_HTTP_UPLOAD_CLIENT_H_
#define VARVE_DAEMON_HTTP_UPLOAD_CLIENT_H_

#include <string>
#include <string_view>
#include <vector>

namespace varve {

// The address of the client: `peer`, or, when that is one of `trusted_proxies` (IP addresses, and
// "unix" for whoever is behind a unix socket), what the X-Forwarded-For header says; of several
// addresses there the last one that is no trusted proxy, for whatever stands before it was written
// by that client.
std::string ClientAddress(std::string_view peer, std::string_view forwarded_for,
                          const std::vector<std::string>& trusted_proxies);

// The same as one client that has uploads: an IPv6 address gives the network of 64 bits that one
// host has, "2001:db8:1:2::/64".
std::string UploadClient(std::string_view peer, std::string_view forwarded_for,
                         const std::vector<std::string>& trusted_proxies);

}  // namespace varve

#endif  // VARVE_DAEMON_HTTP_UPLOAD_CLIENT_H_
