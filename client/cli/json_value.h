// JSON text as a value that a --format template can show. Pure.
#ifndef VARVE_CLIENT_CLI_JSON_VALUE_H_
#define VARVE_CLIENT_CLI_JSON_VALUE_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "client/cli/format_value.h"

namespace varve {

// Objects become maps, so that a template may ask for members that one image has and another lacks.
// InvalidArgument for what is no JSON or nests deeper than 32 levels.
absl::StatusOr<FormatValue> ParseJsonValue(std::string_view json);

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_JSON_VALUE_H_
