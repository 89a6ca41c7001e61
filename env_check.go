package muster

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/muster-go/muster/gate"
)

// advertise joins Kitex's two variables into one address. Muster's own variable wins over them. An error names the
// variable that is wrong, which nothing can do any more once they are joined.
func advertise(e environment, log *slog.Logger) (string, error) {
	if e.Advertise != "" {
		if e.KitexIP != "" || e.KitexPort != "" {
			log.Info("MUSTER_ADVERTISE_ADDR is set, so KITEX_IP_TO_REGISTRY and KITEX_PORT_TO_REGISTRY are not used")
		}
		if err := gate.CheckAdvertise(e.Advertise); err != nil {
			return "", fmt.Errorf("muster: MUSTER_ADVERTISE_ADDR: %w", err)
		}
		return e.Advertise, nil
	}
	var errs []error
	if e.KitexIP != "" {
		if _, _, err := net.SplitHostPort(e.KitexIP); err == nil {
			errs = append(errs, fmt.Errorf("muster: KITEX_IP_TO_REGISTRY: %q: want an address without a port", e.KitexIP))
		} else if err := gate.CheckAdvertise(e.KitexIP); err != nil {
			errs = append(errs, fmt.Errorf("muster: KITEX_IP_TO_REGISTRY: %w", err))
		}
	}
	if e.KitexPort == "" {
		return e.KitexIP, errors.Join(errs...)
	}
	if n, err := strconv.ParseUint(e.KitexPort, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != e.KitexPort {
		errs = append(errs, fmt.Errorf("muster: KITEX_PORT_TO_REGISTRY: %q: want 1 to 65535", e.KitexPort))
	}
	return joined(e.KitexIP, e.KitexPort), errors.Join(errs...)
}

// joined leaves the host out where there is none: then it is derived.
func joined(ip, port string) string {
	if ip == "" {
		return ":" + port
	}
	return net.JoinHostPort(strings.Trim(ip, "[]"), port)
}

// checkCacheDir says why a directory can't be used, as far as can be told without making it: whoever only reads the
// environment, such as an operator's command, writes nothing.
func checkCacheDir(dir string) error {
	if dir == "" {
		return nil
	}
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case err == nil && info.IsDir():
			return nil
		case err == nil:
			return fmt.Errorf("%s can't be used: %s is no directory", dir, at)
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR), at == filepath.Dir(at):
			return fmt.Errorf("it can't be used: %w", err)
		}
	}
}
