// The mark and the icons, as drawings of this page: nothing is loaded from elsewhere.
import type { ComponentChildren } from 'preact';

/** A drake's head: green, with the white collar and the yellow bill. Also in public/favicon.svg. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" width="32" height="32" aria-hidden="true">
      <path
        fill="#0b6b4f"
        d="M15 2.5C9.8 2.5 6.5 6.6 6.5 11.2c0 3.2 1 5 1 8.8h12.2c0-2.2.6-3.4 1.5-4.6 1.2-1.4 1.8-3 1.8-5C23 5.6 19.6 2.5 15 2.5Z"
      />
      <path fill="#f7f8f5" d="M7.4 20h12.4l.4 2.8H6.8Z" />
      <path fill="#85502f" d="M6.8 22.8h13.4c1.9 1.6 3.5 3.8 4 6.7H3.4c.4-2.8 1.6-5 3.4-6.7Z" />
      <path
        fill="#f2b632"
        d="M22.4 8c3.2.3 6.5 1.7 8.1 3.4.7.7.3 1.8-.6 2-2.7.6-5.7.7-8.6.3.8-1.1 1.3-2.3 1.4-3.6 0-.7-.1-1.4-.3-2.1Z"
      />
      <circle cx="17.3" cy="8.8" r="1.3" fill="#f7f8f5" />
    </svg>
  );
}

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg
      class="icon"
      viewBox="0 0 20 20"
      width="18"
      height="18"
      fill="none"
      stroke="currentColor"
      stroke-width="1.6"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

export const Chevron = () => <Icon children={<path d="m6 8 4 4 4-4" />} />;

export const Check = () => <Icon children={<path d="m4.5 10.5 3.5 3.5 7.5-8" />} />;

export const Plus = () => <Icon children={<path d="M10 4.500v11M4.5 10h11" />} />;

export const Close = () => <Icon children={<path d="m5 5 10 10M15 5 5 15" />} />;

export const Refresh = () => (
  <Icon>
    <path d="M16 10a6 6 0 1 1-1.8-4.3" />
    <path d="M16.2 2.800v3.400h-3.4" />
  </Icon>
);

export const Sun = () => (
  <Icon>
    <circle cx="10" cy="10" r="3.2" />
    <path d="M10 2.500v1.600M10 15.900v1.600M2.5 10h1.600M15.9 10h1.600M4.7 4.700l1.1 1.100M14.2 14.200l1.1 1.100M4.7 15.300l1.1-1.100M14.2 5.800l1.1-1.1" />
  </Icon>
);

export const Moon = () => (
  <Icon children={<path d="M16.5 11.800A6.8 6.8 0 0 1 8.2 3.500a6.8 6.8 0 1 0 8.3 8.300Z" />} />
);

export const Help = () => (
  <Icon>
    <circle cx="10" cy="10" r="7.2" />
    <path d="M8 8.100a2 2 0 1 1 2.9 1.800c-.6.3-.9.7-.9 1.300v.3M10 13.900v.1" />
  </Icon>
);

/** Two sliders. */
export const Tune = () => (
  <Icon>
    <path d="M3 6.5h7.500M14.5 6.500H17M3 13.500h2.500M9.5 13.500H17" />
    <circle cx="12.5" cy="6.5" r="2" />
    <circle cx="7.5" cy="13.5" r="2" />
  </Icon>
);

export const Leave = () => (
  <Icon>
    <path d="M8 3.500H5A1.5 1.5 0 0 0 3.5 5v10A1.5 1.5 0 0 0 5 16.500h3M12.5 13.5 16 10l-3.5-3.500M16 10H8" />
  </Icon>
);

export const Copy = () => (
  <Icon>
    <rect x="7" y="7" width="9.5" height="9.5" rx="1.8" />
    <path d="M4.5 13A1.5 1.5 0 0 1 3.5 11.600V5A1.5 1.5 0 0 1 5 3.500h6.600A1.5 1.5 0 0 1 13 4.5" />
  </Icon>
);

export const Warning = () => (
  <Icon>
    <path d="M10 3.2 17.2 16H2.800L10 3.200ZM10 8.200v3.600M10 13.900v.1" />
  </Icon>
);

export const ChartIcon = () => <Icon children={<path d="M3 14.5 7.5 9l3.5 3 6-7" />} />;

export const TableIcon = () => (
  <Icon>
    <rect x="3" y="4" width="14" height="12" rx="1.8" />
    <path d="M3 8.200h14M3 12.100h14M8.5 8.200V16" />
  </Icon>
);
