#pragma once

namespace isthmus::cli {

/// The first step of the program. Returns when it goes on in this process.
void begin(int argc, char** argv);

}  // namespace isthmus::cli
