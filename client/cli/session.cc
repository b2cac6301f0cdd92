#include "client/cli/session.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "client/cli/terminal.h"
#include "client/cli/text.h"
#include "client/cli/unreachable.h"
#include "client/daemon_address.h"
#include "client/file_error.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {

absl::StatusOr<Client*> Session::Connect() {
  ClientOptions options;
  options.lease = lease;
  if (address.empty()) address = DefaultDaemonAddress();
  ASSIGN_OR_RETURN(client, Client::Connect(address, options));
  return client.get();
}

std::string Session::Explain(const absl::Status& status) const {
  if (absl::IsUnavailable(status) && client != nullptr && !client->connected()) {
    return StrCat("cannot reach the daemon at ", address, ": ", WhyUnreachable(address));
  }
  if (absl::IsDeadlineExceeded(status)) {
    return StrCat("the daemon at ", address, ": ", ToStd(status.message()));
  }
  return std::string(status.message());
}

void Session::Tell(const absl::Status& status) {
  // What failed here shows itself when the command ends.
  (void)FlushOutput();
  PrintError(Explain(status));
  told = true;
}

absl::Status ForEachName(Session& session, const std::vector<std::string>& names,
                         const std::function<absl::Status(const std::string&)>& action) {
  absl::Status first_error;
  for (const std::string& name : names) {
    const absl::Status status = action(name);
    if (status.ok()) continue;
    session.Tell(status);
    first_error.Update(status);
  }
  return first_error;
}

absl::Status PrintEachName(Session& session, const std::vector<std::string>& names,
                           std::string_view json_key,
                           const std::function<absl::Status(const std::string&)>& action) {
  return ForEachName(session, names, [&](const std::string& name) -> absl::Status {
    RETURN_IF_ERROR(action(name));
    Print(json_key.empty() ? name + "\n" : JsonObject().Add(json_key, name).Line());
    return absl::OkStatus();
  });
}

bool Print(const std::string& text) {
  static const bool to_person = isatty(STDOUT_FILENO) != 0;
  const std::string& shown = to_person ? PrintableLines(text) : text;
  return std::fwrite(shown.data(), 1, shown.size(), stdout) == shown.size();
}

void PrintWarning(const std::string& text) { std::fputs(PrintableLines(text).c_str(), stderr); }

void PrintError(const std::string& sentence) {
  std::fprintf(stderr, "varve: %s\n", PrintableLines(sentence).c_str());
}

absl::Status FlushOutput() {
  const bool failed_before = std::ferror(stdout) != 0;
  if (std::fflush(stdout) == 0 && !failed_before) return absl::OkStatus();
  return FileError(errno, "write to standard output");
}

}  // namespace varve
