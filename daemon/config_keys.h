// The table of configuration keys: one row a key, with everything that is known about it. Constant,
// any thread.
#ifndef VARVE_DAEMON_CONFIG_KEYS_H_
#define VARVE_DAEMON_CONFIG_KEYS_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "daemon/config.h"

namespace varve {

enum class ConfigKind { kText, kSize, kDuration, kBool };

struct ConfigKey {
  std::string_view section;
  std::string_view name;
  ConfigKind kind;
  std::string_view default_text;
  std::string_view flag;        // empty: none
  std::string_view flag_value;  // what --help calls its value
  std::string_view alias;       // a second, shorter variable; empty: none
  std::string_view documentation;
  // Checks `text` and keeps its value; InvalidArgument leaves `config` as it was.
  absl::Status (*set)(Config& config, std::string_view text);
};

// All keys, in the order in which they are printed.
absl::Span<const ConfigKey> ConfigKeys();

// Null when there is no such key.
const ConfigKey* FindConfigKey(std::string_view section, std::string_view name);

// "VARVE_STORE_DATA_DIR"
std::string ConfigVariable(const ConfigKey& key);

}  // namespace varve

#endif  // VARVE_DAEMON_CONFIG_KEYS_H_
