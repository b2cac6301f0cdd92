// The description of an image as a --format template sees it. Pure.
#ifndef VARVE_CLIENT_CLI_INSPECT_VALUE_H_
#define VARVE_CLIENT_CLI_INSPECT_VALUE_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "client/cli/format_value.h"

namespace varve {

// `json` as DescribeImageJson writes it. What Docker describes and this image lacks has no value;
// to ask for any other field is a mistake. Labels and other keys that come from outside are maps.
absl::StatusOr<FormatValue> InspectValue(std::string_view json);

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_INSPECT_VALUE_H_
