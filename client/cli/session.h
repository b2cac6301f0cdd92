// What the commands of `varve` share: the daemon they talk to and how they end.
#ifndef VARVE_CLIENT_CLI_SESSION_H_
#define VARVE_CLIENT_CLI_SESSION_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "client/client.h"

namespace varve {

struct Session {
  std::string address = kDefaultAddress;
  std::string lease;                     // that the command works for; empty: none
  std::unique_ptr<Client> client;        // made by Connect
  std::function<absl::Status()> action;  // of the command that was chosen

  // The client for `address`; does not wait for the daemon.
  absl::StatusOr<Client*> Connect();

  // The sentence for the person about why the command failed, with what to do about it.
  std::string Explain(const absl::Status& status) const;
};

// Writes to standard output; to a terminal, without what could command it. False once writing has
// failed: then there is nobody to go on for.
bool Print(const std::string& text);

// Does `action` to every name, and prints those that worked, one a line; as JSON objects with
// `json_key`, unless that is empty. All are tried; the first failure is the result, others are
// told.
absl::Status ForEachName(const Session& session, const std::vector<std::string>& names,
                         std::string_view json_key,
                         const std::function<absl::Status(const std::string&)>& action);

// Writes lines to standard error; to a terminal, without what could command it.
void PrintWarning(const std::string& text);

// Writes "varve: sentence" to standard error.
void PrintError(const std::string& sentence);

// OK when everything printed has reached standard output.
absl::Status FlushOutput();

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_SESSION_H_
