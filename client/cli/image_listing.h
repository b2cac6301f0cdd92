// The command that lists images: `image ls` and `images`.
#ifndef VARVE_CLIENT_CLI_IMAGE_LISTING_H_
#define VARVE_CLIENT_CLI_IMAGE_LISTING_H_

#include <string>

#include "client/cli/session.h"

namespace CLI {
class App;
}

namespace varve {

// Adds it to `group` as `name`.
void AddImageListing(CLI::App& group, const std::string& name, Session& session);

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_IMAGE_LISTING_H_
