// Command table prints the table of settings, for the README.
package main

import (
	"fmt"

	"github.com/reelkeeper/reelkeeper/internal/config"
)

func main() { fmt.Print(config.Table()) }
