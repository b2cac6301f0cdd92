// The Dockerfile instructions that `import --change` takes, applied to how an image is run. Pure.
#ifndef VARVE_CLIENT_ARCHIVE_IMAGE_CHANGES_H_
#define VARVE_CLIENT_ARCHIVE_IMAGE_CHANGES_H_

#include <string_view>

#include "absl/status/status.h"
#include "client/archive/image_json.h"

namespace varve {

// Applies one of CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR, written as
// in a Dockerfile: CMD, ENTRYPOINT and VOLUME take a JSON array or plain words; quotes and
// backslashes group words. Variables are not expanded: an unquoted or double-quoted '$' is an error
// where docker would expand it, so that no image says something else than with docker.
//
// InvalidArgument, naming the instruction, when it is another one or malformed.
absl::Status ApplyChange(std::string_view change, RuntimeConfig* runtime);

}  // namespace varve

#endif  // VARVE_CLIENT_ARCHIVE_IMAGE_CHANGES_H_
